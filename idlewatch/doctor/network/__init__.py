"""What lies between users and a site: addresses, proxies, cookies and static files."""
