"""Maps: made of any model, grown by new images, brought into metres."""
