"""Images whose truth is known because they were made: shapes, warped photographs, procedural scenes."""
