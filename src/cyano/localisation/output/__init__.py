"""What a run of localisation writes: poses, records, pictures."""
