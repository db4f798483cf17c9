"""What is said of a scenario that may not be."""

import pytest
from delphic.harness.errors import ScenarioError
from delphic.harness.scenario import load

HEAD = "name: mine\nworkload: {name: log}\nduration: 15s\n"


def complaint(text: str) -> str:
    """The sentence with which a text is refused as a scenario."""
    with pytest.raises(ScenarioError) as caught:
        load(text, "my.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)
