"""What Headwater is compared with: scripts as a user would write them by hand, and other engines."""
