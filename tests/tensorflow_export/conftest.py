"""Run by `make test-tensorflow`, in an environment that has TensorFlow; elsewhere these tests are not collected."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("tensorflow") else ["test_*.py"]
