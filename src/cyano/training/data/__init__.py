"""What training learns from: photographs, scenes, real places, a teacher's features, and the pairs made of them."""
