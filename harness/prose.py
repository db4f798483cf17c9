"""Numbers in sentences, as checkers, commands and reports tell them."""


def plural(count: int, noun: str, several: str | None = None) -> str:
    """`1 row`, `2,000 rows`; `several` where the plural is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
