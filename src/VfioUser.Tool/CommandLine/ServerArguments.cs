using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using VfioUser.Client;
using VfioUser.Protocol;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.CommandLine;

/// <summary>Arguments of every command that connects to a server: its socket and a timeout.</summary>
internal sealed class ServerArguments
{
    private const double LongestTimeout = 86400;
    private const int MaxPathBytes = 108;

    private readonly Argument<string> _socket = new("SOCKET") { Description = "The server's socket: a path, or @name for an abstract one" };
    private readonly Option<double> _timeout = TimeoutOption("Seconds that the server may take to answer");

    private ServerArguments(Command command)
    {
        command.Add(_socket);
        command.Add(_timeout);
    }

    /// <summary>The timeout option.</summary>
    public static Option<double> TimeoutOption(string description)
    {
        Option<double> timeout = new("--server-timeout") { Description = description, DefaultValueFactory = _ => 10 };
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= LongestTimeout))
                result.AddError("--server-timeout takes a number of seconds above 0, a day at most.");
        });
        return timeout;
    }

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="needed">False if the command itself checks that there is a socket.</param>
    /// <param name="socket">Description of the socket, if it is another one than that for clients.</param>
    public static ServerArguments AddTo(Command command, bool needed = true, string? socket = null)
    {
        ServerArguments server = new(command);
        server._socket.Description = socket ?? server._socket.Description;
        if (!needed)
            server._socket.Arity = ArgumentArity.ZeroOrOne;
        return server;
    }

    public bool IsMissing(CommandResult parsed) => parsed.GetResult(_socket) is not { Tokens.Count: > 0 };

    public string Socket(ParseResult parsed) => parsed.GetRequiredValue(_socket);

    /// <summary>The socket, which must exist if it is a path.</summary>
    /// <exception cref="ToolException">It does not exist, or is no valid path.</exception>
    public string ExistingSocket(ParseResult parsed)
    {
        string socket = Socket(parsed);
        // the limit includes the NUL
        if (socket.Length == 0 || Encoding.UTF8.GetByteCount(socket) >= MaxPathBytes)
            throw new UsageException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        if (socket[0] != '@' && Directory.Exists(socket))
            throw new ToolException($"Cannot connect to '{socket}': it is a folder, not a socket.");
        // a clearer message than the system's, that the address cannot be assigned
        return socket[0] == '@' || File.Exists(socket) ? socket : throw new ToolException($"Cannot connect to '{socket}': no such file.");
    }

    public TimeSpan Timeout(ParseResult parsed) => TimeSpan.FromSeconds(parsed.GetValue(_timeout));

    /// <summary>Connects and negotiates.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="stop">Ends every wait for the server.</param>
    /// <exception cref="ToolException">The socket does not exist, or is no valid path.</exception>
    public VfioUserClient Connect(ParseResult parsed, CancellationToken stop) =>
        VfioUserClient.Connect(ExistingSocket(parsed), ClientOptions(parsed, stop));

    public VfioUserClientOptions ClientOptions(ParseResult parsed, CancellationToken stop) => new()
    {
        Timeout = Timeout(parsed),
        ConnectTimeout = Timeout(parsed),
        Cancellation = stop,
        TwinSocket = TwinSocketPolicy.Prefer,
    };
}
