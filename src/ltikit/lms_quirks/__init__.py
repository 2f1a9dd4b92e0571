"""What each LMS does differently, one module for each family; `ltikit.quirks` puts them together."""
