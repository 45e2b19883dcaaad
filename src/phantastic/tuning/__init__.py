"""Fine-tuning a pre-trained network on tasks."""
