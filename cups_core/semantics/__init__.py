"""What a pixel is without knowing its name: features, clusters, depth-guided inference, random fields."""
