"""The files that stages exchange, written down once: one module a stage. Settings are in pipelines/params."""
