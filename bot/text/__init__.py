"""Text as a screen counts it: widths, safe cuts, Markdown. Pure; nothing here does I/O."""
