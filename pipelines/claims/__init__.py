"""The claims about flow matching: what each says, what one run of the pipeline measures of it, and the verdict."""
