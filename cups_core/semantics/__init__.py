"""What a pixel is without knowing its name: features, clusters, inference, random fields."""
"""What a pixel is without knowing its name: features, clusters, inference guided by depth."""
