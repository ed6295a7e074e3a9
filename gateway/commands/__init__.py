"""The operator's commands, one module or package for each."""
