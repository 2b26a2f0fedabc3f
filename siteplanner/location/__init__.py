"""Location science on sparse arrays; knows nothing of banks or maps."""
