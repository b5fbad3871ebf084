"""Where a node is reached when nobody says so."""

import socket

import pytest

from command_api.app import node_url
from runtime.settings import CommandSettings

HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"command_host": "10.0.0.7", "command_port": 80}, "http://10.0.0.7:80"),
        ({"command_host": "0.0.0.0"}, f"http://{HERE}:8000"),
        ({"command_host": "::"}, f"http://{HERE}:8000"),
        ({"command_host": "0.0.0.0", "node_url": "https://node-1"}, "https://node-1"),
    ],
)
def test_no_two_machines_have_the_same(settings, url):
    assert node_url(CommandSettings(**settings)) == url
