"""A regular package, so that no other one named `tests` is found first: flow_matching's wheel installs one."""
