"""The registered model: which method wins, what its versions are, who is champion, and how it is served."""
