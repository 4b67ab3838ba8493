using System.CommandLine;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Faults;
using VfioUser.Tool.Regions;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Tracing;

/// <summary>Options that select messages: by command, by region, all but configuration space.</summary>
internal sealed class FilterArguments
{
    private readonly Option<string[]> _commands = new("--command") { Description = "Only this command, such as REGION_READ; may be given several times" };
    private readonly Option<string[]> _regions = new("--region") { Description = $"Only accesses to this region: {RegionName.Forms}; may be given several times" };
    private readonly Option<bool> _noConfig = new("--no-config") { Description = "No accesses to configuration space" };

    private FilterArguments(Command command)
    {
        _commands.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !CommandName.TryParse(token.Value, out _)) is { } unknown)
                result.AddError($"--command: '{unknown.Value}' is no command; write REGION_READ, VERSION and so on.");
        });
        _regions.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !RegionName.TryParse(token.Value, out _)) is { } unknown)
                result.AddError($"'{unknown.Value}' is no region: {RegionName.Forms}.");
        });
        command.Add(_commands);
        command.Add(_regions);
        command.Add(_noConfig);
    }

    public static FilterArguments AddTo(Command command) => new(command);

    /// <summary>A sink before another one that passes on what is selected.</summary>
    public ITraceSink Before(ITraceSink sink, ParseResult parsed)
    {
        HashSet<Protocol.Command> commands = [.. (parsed.GetValue(_commands) ?? []).Select(name => CommandName.TryParse(name, out Protocol.Command command) ? command : default)];
        HashSet<uint> regions = [.. (parsed.GetValue(_regions) ?? []).Select(name => RegionName.TryParse(name, out uint region) ? region : default)];
        bool noConfig = parsed.GetValue(_noConfig);
        return commands.Count == 0 && regions.Count == 0 && !noConfig ? sink : new TraceFilter(sink, commands, regions, noConfig);
    }
}
