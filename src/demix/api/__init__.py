"""The server: a page to listen with, an API, a table of jobs and the workers that do them."""
