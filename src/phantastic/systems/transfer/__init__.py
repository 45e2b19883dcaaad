"""What a pre-trained network hands on: to a second language, and to a network of half its depth."""
