"""Model against implementation: the only modules that know both."""
