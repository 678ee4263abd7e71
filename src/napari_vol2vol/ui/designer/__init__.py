"""Parts of the *Study designer* dock: what can be changed in a study, and one tab for each kind of thing."""
