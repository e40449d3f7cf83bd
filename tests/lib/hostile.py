"""Writes the cassettes of tests/programs/hostile.test: hostile.py BAD GOOD OUTSIDE, or hostile.py --huge FILE.

Those in BAD are to be refused, each for one reason. Those in GOOD are odd and mean one thing: http://h.test/ is
answered "good". Tags in them that would do something would make OUTSIDE/harmed.
"""
import json
import os
import sys


def put(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def as_yaml(body="good", status="200", response="", interaction=""):
    return f"""interactions:
- request:
    body: null
    headers: {{}}
    method: GET
    uri: http://h.test/
  response:
    body:
      string: {body}
    headers: {{}}
    status:
      code: {status}
      message: OK
{response}{interaction}version: 1
"""


def as_json(body='"good"'):
    return (
        '{"version": 1, "interactions": [{\n"request": {"method": "GET", "uri": "http://h.test/", "body": null},\n'
        '"response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": ' + body + "}}}]}\n"
    )


def bad(folder, outside):
    def yaml(name, content):
        put(f"{folder}/{name}.yaml", content)

    def json_(name, content):
        put(f"{folder}/{name}.json", content)

    names = "abcdefghijklmnopqrst"
    laughs = "a: &a [" + ", ".join(["lol"] * 9) + "]\n"
    for before, name in zip(names, names[1:]):
        laughs += f"{name}: &{name} [" + ", ".join([f"*{before}"] * 9) + "]\n"
    yaml("laughs", laughs + f"interactions: *{names[-1]}\n")
    yaml("self", "interactions: &a [*a]\n")

    deep = 100_000
    yaml("flow", "interactions: " + "[" * deep + "]" * deep + "\n")
    yaml("maps", "interactions: " + "{a: " * deep + "}" * deep + "\n")
    yaml("block", "interactions:\n" + "- " * deep + "x\n")
    yaml("keys", "? " * deep + "x\n")
    yaml("lines", "interactions:\n" + "".join(" " * i + "a:\n" for i in range(1, 2000)))
    json_("list", '{"interactions": ' + "[" * deep + "]" * deep + "}")
    json_("maps", '{"interactions": ' + '{"a":' * deep + "1" + "}" * deep + "}")
    for form in ("yaml", "json"):
        put(f"{folder}/sparse.{form}", "")
        os.truncate(f"{folder}/sparse.{form}", 1 << 40)

    for value in ("-1", "1000", "99999999999999999999", "2e2", "two"):
        yaml(f"status_{value}", as_yaml(status=value))
    for value in ("-1", "4294967296", "x"):
        yaml(f"times_{value}", as_yaml(interaction=f"  times: {value}\n"))
    yaml("priority_1e99", as_yaml(interaction="  priority: 1e99\n"))
    pieces = ("[[-1, 0]]", "[[99999999999999999999, 0]]", "[[0, 99999999999]]", "[[5, 0], [4, 0]]", "7")
    for i, value in enumerate(pieces):
        yaml(f"chunks_{i}", as_yaml(response=f"    chunks: {value}\n"))

    yaml("nul", as_yaml("a\0b"))
    json_("nul", as_json('"a\0b"').replace("\n", " "))
    yaml("utf8", as_yaml().encode() + b"# \xff\n")
    json_("utf8", as_json().encode().replace(b"good", b"\xff"))
    json_("cut", as_json()[:52])
    yaml("tag_call", as_yaml(f"!!python/object/apply:os.system ['touch {outside}/harmed']"))
    yaml("tag_new", f"interactions:\n- !!python/object/new:subprocess.Popen [[touch, {outside}/harmed]]\n")
    yaml("tag_name", as_yaml("!!python/name:os.system"))
    yaml("tag_ruby", as_yaml("!ruby/object:Gem::Installer {i: x}"))
    for name in ("pipes", "devices", "links"):
        os.mkdir(f"{folder}/{name}")


def good(folder):
    put(f"{folder}/bom.yaml", b"\xef\xbb\xbf" + as_yaml().encode())
    put(f"{folder}/bom.json", b"\xef\xbb\xbf" + as_json().encode())
    put(f"{folder}/crlf.yaml", as_yaml().replace("\n", "\r\n"))
    put(f"{folder}/crlf.json", as_json().replace("\n", "\r\n"))
    # Of equal keys the last counts, as in Python.
    put(f"{folder}/dup.yaml", as_yaml("bad\n      string: good"))
    put(f"{folder}/dup.json", as_json('"bad", "string": "good"'))
    length = "    headers: {Content-Length: ['99999999999999999999']}\n"
    put(f"{folder}/length.yaml", as_yaml(response=length))
    # What the pieces no longer fit is no error: a body may have been edited.
    put(f"{folder}/pieces.yaml", as_yaml(response="    chunks: [[0, 0], [2, 4294967295], [18446744073709551615, 1]]\n"))
    put(f"{folder}/times.yaml", as_yaml(interaction="  times: 1000000000\n  priority: -1000000000\n"))
    put(f"{folder}/when.yaml", as_yaml(interaction="  recorded_at: '999999999-99-99T99:99:99Z'\n"))
    put(f"{folder}/version.yaml", as_yaml(response="    http_version: HTTP/99999999999.-1\n"))


def huge(path):
    text = "x" * (100 << 20)
    put(path, as_json(json.dumps(text)) if path.endswith(".json") else as_yaml(f'"{text}"'))


if sys.argv[1] == "--huge":
    huge(sys.argv[2])
else:
    bad(sys.argv[1], sys.argv[3])
    good(sys.argv[2])
