using System.CommandLine;
using VfioUser.Client;
using VfioUser.Protocol;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.CommandLine;

/// <summary>What every command that talks to a server takes: its socket, and for how long to be patient.</summary>
internal sealed class ServerArguments
{
    private const double LongestPatience = 86400;

    private readonly Argument<string> _socket = new("SOCKET") { Description = "The server's socket: a path, or @name for an abstract one" };
    private readonly Option<double> _patience = new("--patience")
    {
        Description = "Seconds that the server may take to answer",
        DefaultValueFactory = _ => 10,
    };

    private ServerArguments(Command command)
    {
        command.Add(_socket);
        command.Add(_patience);
        _patience.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= LongestPatience))
                result.AddError("--patience takes a number of seconds above 0, a day at most.");
        });
    }

    public static ServerArguments AddTo(Command command) => new(command);

    public string Socket(ParseResult parsed) => parsed.GetRequiredValue(_socket);

    public TimeSpan Patience(ParseResult parsed) => TimeSpan.FromSeconds(parsed.GetValue(_patience));

    /// <summary>Connects and negotiates.</summary>
    /// <exception cref="ToolException">Nothing is at the path, or it is none.</exception>
    public VfioUserClient Connect(ParseResult parsed) => Connect(Socket(parsed), new VfioUserClientOptions
    {
        Timeout = Patience(parsed),
        TwinSocket = TwinSocketPolicy.Prefer,
    });

    private static VfioUserClient Connect(string socket, VfioUserClientOptions options)
    {
        // the system's own word for it is that the address cannot be assigned
        if (socket is not ("" or ['@', ..]) && !File.Exists(socket))
            throw new ToolException($"Cannot connect to '{socket}': no such file.");
        try
        {
            return VfioUserClient.Connect(socket, options);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
    }
}
