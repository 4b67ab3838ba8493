using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using VfioUser.Client;
using VfioUser.Protocol;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.CommandLine;

/// <summary>What every command that talks to a server takes: its socket, and for how long to be patient.</summary>
internal sealed class ServerArguments
{
    private const double LongestPatience = 86400;
    private const int MostPathBytes = 108;

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

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">Whose arguments they become.</param>
    /// <param name="needed">False where the command looks itself whether there is a socket.</param>
    public static ServerArguments AddTo(Command command, bool needed = true)
    {
        ServerArguments server = new(command);
        if (!needed)
            server._socket.Arity = ArgumentArity.ZeroOrOne;
        return server;
    }

    public bool IsMissing(CommandResult parsed) => parsed.GetResult(_socket) is not { Tokens.Count: > 0 };

    public string Socket(ParseResult parsed) => parsed.GetRequiredValue(_socket);

    /// <summary>A socket that somebody has bound.</summary>
    /// <exception cref="ToolException">Nothing is at the path, or it is none.</exception>
    public string ExistingSocket(ParseResult parsed)
    {
        string socket = Socket(parsed);
        // what the kernel takes, and its NUL
        if (socket.Length == 0 || Encoding.UTF8.GetByteCount(socket) >= MostPathBytes)
            throw new UsageException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        // the system's own word for it is that the address cannot be assigned
        return socket[0] == '@' || File.Exists(socket) ? socket : throw new ToolException($"Cannot connect to '{socket}': no such file.");
    }

    public TimeSpan Patience(ParseResult parsed) => TimeSpan.FromSeconds(parsed.GetValue(_patience));

    /// <summary>Connects and negotiates.</summary>
    /// <exception cref="ToolException">Nothing is at the path, or it is none.</exception>
    public VfioUserClient Connect(ParseResult parsed) => VfioUserClient.Connect(ExistingSocket(parsed), new VfioUserClientOptions
    {
        Timeout = Patience(parsed),
        TwinSocket = TwinSocketPolicy.Prefer,
    });
}
