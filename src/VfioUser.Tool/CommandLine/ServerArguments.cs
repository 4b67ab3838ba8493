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
    private readonly Option<double> _patience = PatienceOption("Seconds that the server may take to answer");

    private ServerArguments(Command command)
    {
        command.Add(_socket);
        command.Add(_patience);
    }

    /// <summary>For how long a server is waited for.</summary>
    public static Option<double> PatienceOption(string description)
    {
        Option<double> patience = new("--patience") { Description = description, DefaultValueFactory = _ => 10 };
        patience.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= LongestPatience))
                result.AddError("--patience takes a number of seconds above 0, a day at most.");
        });
        return patience;
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
    /// <param name="parsed">The command line.</param>
    /// <param name="stop">Ends every wait for the server.</param>
    /// <exception cref="ToolException">Nothing is at the path, or it is none.</exception>
    public VfioUserClient Connect(ParseResult parsed, CancellationToken stop) =>
        VfioUserClient.Connect(ExistingSocket(parsed), ClientOptions(parsed, stop));

    public VfioUserClientOptions ClientOptions(ParseResult parsed, CancellationToken stop) => new()
    {
        Timeout = Patience(parsed),
        ConnectTimeout = Patience(parsed),
        Cancellation = stop,
        TwinSocket = TwinSocketPolicy.Prefer,
    };
}
