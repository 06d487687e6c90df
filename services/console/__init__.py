"""The console: the web page of Returpost. It owns no data; it asks the services with the token of who looks."""
