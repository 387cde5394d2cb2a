"""How fast training is, beside TRL. `python -m benchmarks.training`; see `__main__.py`.

The modules `forking`, `trl_worker` and `trl_ppo_worker` run with TRL's Python, where nothing of Concord's
requirements is to be had: they import the standard library, TRL and each other.
"""
