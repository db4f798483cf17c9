"""Every reachable state of a model, at the speed of compiled code."""
