"""Commands on maps and the photographs that are localised in them."""
