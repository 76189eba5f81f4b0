"""Which data, code and licences made a model, and which models a document reached."""
