using System.CommandLine;
using System.Text.Json;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Inspecting;

/// <summary><c>vfio-user inspect</c>: shows what a server tells of itself, beside the client that is attached.</summary>
internal static class InspectCommand
{
    private static readonly string[] Topics =
    [
        InspectionTopics.Server, InspectionTopics.Registers, InspectionTopics.Dma, InspectionTopics.Irqs, InspectionTopics.Refusals, InspectionTopics.Counters,
    ];

    public static Command Create(Terminal terminal)
    {
        Command command = new("inspect", "Shows the state of a served device, while a client is attached");
        ServerArguments server = ServerArguments.AddTo(command, socket: "The server's inspection socket: a path, or @name for an abstract one");
        Argument<string> what = new("WHAT") { Description = "What to show", DefaultValueFactory = _ => InspectionTopics.Server };
        what.AcceptOnlyFromAmong(Topics);
        Option<bool> json = new("--json") { Description = "As JSON" };
        command.Add(what);
        command.Add(json);
        command.SetAction(parsed =>
        {
            using InspectionClient client = InspectionClient.Connect(server.ExistingSocket(parsed), server.Timeout(parsed), terminal.Stop);
            InspectionAnswer answer = client.Show(parsed.GetRequiredValue(what)).Aggregate(Join);
            if (parsed.GetValue(json))
                terminal.Out.WriteLine(JsonSerializer.Serialize(answer, InspectionJson.Default.InspectionAnswer));
            else
                InspectionText.Write(terminal, answer);
            return ExitCode.Success;
        });
        return command;
    }

    private static InspectionAnswer Join(InspectionAnswer before, InspectionAnswer after) => after with
    {
        Registers = Join(before.Registers, after.Registers),
        Dma = Join(before.Dma, after.Dma),
        Irqs = Join(before.Irqs, after.Irqs),
        Refusals = Join(before.Refusals, after.Refusals),
        Counters = Join(before.Counters, after.Counters),
    };

    private static T[]? Join<T>(T[]? before, T[]? after) => before is null ? after : [.. before, .. after ?? []];
}
