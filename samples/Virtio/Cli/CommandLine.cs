using System.CommandLine;

namespace Virtio.Cli;

/// <summary>The command line: demo, and serve with a command for each kind of device.</summary>
internal static class CommandLine
{
    public static RootCommand Create(IReadOnlyList<DeviceKind> kinds)
    {
        Argument<string?> only = new("device") { Description = "One kind of device; all if it is left out.", Arity = ArgumentArity.ZeroOrOne };
        only.AcceptOnlyFromAmong([.. kinds.Select(kind => kind.Name)]);
        Command demo = new("demo", "Serves each device, and drives it as a guest would.") { only };
        demo.SetAction(parsed =>
        {
            foreach (DeviceKind kind in kinds.Where(kind => parsed.GetValue(only) is not { } name || kind.Name.Equals(name, StringComparison.Ordinal)))
                kind.Demo(Console.Out);
            return 0;
        });
        Command serve = new("serve", "Serves a device on a socket until Ctrl-C.");
        foreach (DeviceKind kind in kinds)
            serve.Add(Serving(kind));
        return new RootCommand("Virtio devices for virtual machines: QEMU, Cloud Hypervisor and others attach them over vfio-user.") { demo, serve };
    }

    private static Command Serving(DeviceKind kind)
    {
        Option<string[]> socket = new("--socket", "-s")
        {
            Description = kind.MaxSockets == 1 ? "Path of the socket that the virtual machine connects to."
                : "Path of a socket that a virtual machine connects to; may be given several times, for a device each.",
            Required = true,
        };
        socket.Validators.Add(result =>
        {
            if (result.Tokens.Count > kind.MaxSockets)
                result.AddError($"{kind.Name} is served on {kind.MaxSockets} socket{(kind.MaxSockets == 1 ? "" : "s")} at most.");
        });
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the machine's memory even if its file could shrink, or has huge pages." };
        Command command = new(kind.Name, kind.Description) { socket, trust };
        foreach (Option option in kind.Options)
            command.Add(option);
        command.SetAction((parsed, stop) => Server.Run(kind, parsed, parsed.GetRequiredValue(socket), parsed.GetValue(trust), stop));
        return command;
    }
}
