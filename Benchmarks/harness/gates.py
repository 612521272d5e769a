"""The gates: figures that don't depend on the machine's mood, and end the run with failure.

A gate that was asked for and could not be measured fails too; a gate nobody looks at is none.
"""


def failed_gates(results, thresholds, candidates, load):
    """One sentence for each gate that isn't met."""
    gates = thresholds["gates"]
    sentences = _traffic(load, gates["every-server"])
    for server in candidates:
        own = gates.get(server.name, {})
        if "instructions" in results:
            sentences += _instructions(results["instructions"], server.name, own)
        if "allocations" in results:
            sentences += _allocations(results["allocations"], server.name, own)
    return sentences


def _traffic(load, gates):
    sentences = []
    for name, wrong in load.wrong_bytes.items():
        if wrong > gates["wrong_bytes_max"]:
            sentences.append(f"{name} returned {wrong} wrong bytes; "
                             f"{gates['wrong_bytes_max']} are allowed.")
    for name, lost in load.lost_connections.items():
        if lost > gates["lost_connections_max"]:
            sentences.append(f"{name} lost {lost} connections; "
                             f"{gates['lost_connections_max']} are allowed.")
    return sentences


def instructions_most(figures, gates):
    """What a server may need a request, and how that reads; None without a gate.

    A gate may be a number, or a multiple of another server's figure in the same run."""
    multiple = gates.get("user_instructions_of_other_max")
    if multiple is None:
        most = gates.get("user_instructions_per_request_max")
        return None if most is None else (most, f"{most:,}")
    other, ratio = multiple["server"], multiple["ratio"]
    if other not in figures:
        return 0, f"{ratio} × {other}, which was not measured"
    return ratio * figures[other]["median"], f"{ratio} × {other}"


def _instructions(figures, name, gates):
    gate = instructions_most(figures, gates)
    if gate is None:
        return []
    most, words = gate
    if name not in figures:
        return [f"The user instructions of {name} were not measured: "
                "pass --uringcore-static PATH, or leave out the section 'instructions'."]
    if figures[name]["median"] > most:
        return [f"{name} needs {figures[name]['median']:.0f} user instructions a request; "
                f"at most {most:.0f} ({words}) are allowed."]
    return []


def _allocations(figures, name, gates):
    most = gates.get("allocations_per_message_max")
    if most is None:
        return []
    sentences = []
    for row, figure in figures.get(name, {}).items():
        if not figure["was_preloaded"]:
            sentences.append(f"The allocations of {name} were not counted ({row}): "
                             "the counting library was not loaded into it.")
        elif figure["per_message"] > most:
            sentences.append(f"{name} made {figure['allocations']} allocations in "
                             f"{figure['requests']} messages ({row}); {most} a message are "
                             "allowed.")
    return sentences
