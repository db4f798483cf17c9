"""Every workload by name. To add one: its file, its name here, its options in `AnyOptions`."""

from .log import LOG, LogOptions

WORKLOADS = {workload.name: workload for workload in (LOG,)}

AnyOptions = LogOptions
