"""Which signals end what runs."""

import signal


def ending() -> tuple[signal.Signals, ...]:
    """SIGINT, SIGTERM and SIGHUP; the last one only where `nohup` has not had it ignored."""
    hangup = signal.SIGHUP
    ignored = signal.getsignal(hangup) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if ignored else (signal.SIGINT, signal.SIGTERM, hangup)
