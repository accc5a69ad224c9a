"""What the pages of the back office ask for: long work, checks of accounts, invitations."""
