"""Songs made by rule: written, played and mixed, with their true stems."""
