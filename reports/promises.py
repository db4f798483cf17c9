"""The promises in a few words each; semantics has them in full."""

TEXTS: dict[str, str] = {
    "HS-1": "At most one leader in a term.",
    "HS-2": "No acknowledged row is lost.",
    "HS-3": "An append is acknowledged only when a majority has it on disk.",
    "HS-4": "All members hold the same committed rows in the same order.",
    "HS-5": "A committed row keeps its offset for ever.",
    "HS-6": "A follower accepts no write; it answers NotLeader.",
    "HS-7": "NotLeader names the known leader, or the answering member itself.",
    "HS-8": "A member that is no leader any more publishes nothing.",
    "HS-9": "After recovery each logged row is in the data files exactly once.",
    "HS-10": "A checkpoint removes nothing that the data files do not hold.",
    "HS-11": "Rows that lost the race of an election do not come back.",
    "HS-12": "Subscribers receive only rows that stay in the table.",
    "HS-13": "A subscriber receives rows in order, without a gap.",
    "HS-14": "Every row is processed at least once.",
    "HS-15": "Without a key column, a retried row may be stored twice.",
    "HS-16": "No two rows with one key within the dedup window.",
    "HS-17": "A table with subscriptions cannot be dropped.",
    "HS-18": "Tables and schemas outlive every restart.",
    "HS-19": "A group has an id of 2 or more and at least 3 members.",
    "HS-20": "Once writes stop and all are up, all replicas become equal.",
    "HS-21": "Rows in memory are bounded; evicted rows stay readable.",
    "HS-22": "With a majority connected, a leader is elected and writes succeed.",
    "HS-23": "Without a majority nothing is acknowledged; service resumes by itself.",
    "HS-24": "A reconnecting subscriber receives every committed row.",
    "HS-25": "A member that comes back catches up.",
    "HS-26": "A producer with several sites reaches the new leader.",
    "PR-26": "Master and slave become equal in the end.",
}


def text(promise: str) -> str:
    """What the promise says, or nothing for one that this version does not know."""
    return TEXTS.get(promise, "")


def order(promise: str) -> tuple[str, int, str]:
    """By family, then by number."""
    family, _, number = promise.partition("-")
    return (family, int(number) if number.isdecimal() else 0, promise)
