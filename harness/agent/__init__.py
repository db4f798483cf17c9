"""The program that runs on a host: it breaks what it is told to, and undoes it when left alone.

Rule 1: the standard library only, and nothing else of ours: it is sent to hosts as one file. What
is taken along (mfusepy) is imported by the process that is mounted, where there is libfuse.
Rule 2: whatever is to be undone stands in the undo log (`undo.py`) before it is done.
Rule 3: nobody is ended by name, and nobody who does not carry the run's mark.

`command.py` is the way in; `serve.py` answers requests (JSON lines on standard input and output);
`parts.py` is the table of verbs and of ways to undo.
"""
