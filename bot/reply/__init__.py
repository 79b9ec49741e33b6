"""How a reply gets onto the screen: live.py decides, deliver.py does."""
