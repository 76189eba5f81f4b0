"""One thin module per DVC stage: read params, open inputs, call the library, write outputs."""
