"""Moves followed by the plain meaning of the model: a path that was replayed is real."""

from .result import Path
from .world import Global, Move, World


def replay(world: World, moves: list[Move]) -> Path:
    """Follow `moves` from the initial state by the plain meaning of the model.

    Raises AssertionError where a move is not possible: then the fast explorer was wrong.
    """
    states: list[Global] = [world.initial()]
    for at, move in enumerate(moves):
        following = [s for s in world.successors(states[-1]) if s.move == move]
        assert following, f"move {at + 1} of the path is impossible: {move}"
        if following[0].broken is not None:
            assert at == len(moves) - 1
            break
        states.append(following[0].after)
    return Path(tuple(states), tuple(moves))
