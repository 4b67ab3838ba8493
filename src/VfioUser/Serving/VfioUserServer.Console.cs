using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace VfioUser;

/// <content>A whole program.</content>
public sealed partial class VfioUserServer
{
    /// <summary>The argument of <c>qemu-system-...</c> that attaches the device, quoted for a shell. The machine's memory, which must be
    /// shared, is not part of it.</summary>
    /// <exception cref="InvalidOperationException">The server listens neither on a path nor on an abstract name.</exception>
    public string QemuArguments => _clients is SocketListener listener
        ? QemuArgumentsOf(listener)
        : throw new InvalidOperationException($"QEMU connects to a path or an abstract name, and the server's address is {Address}.");

    /// <summary>As <see cref="QemuArguments"/>, for a server that listens on a path.</summary>
    /// <param name="path">Of the socket file.</param>
    public static string QemuArgumentsFor(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return QemuArgumentsFor(Path.GetFullPath(path), isAbstract: false);
    }

    /// <summary>A program that serves one device: prints how QEMU attaches it, and serves until Ctrl-C or SIGTERM.</summary>
    /// <param name="path">Of the socket file, as in <see cref="Bind"/>; or <c>@name</c> for one in the abstract namespace.</param>
    /// <param name="device">The caller's, who disposes it.</param>
    /// <param name="options">Null for the defaults, and <see cref="VfioUserServerOptions.RegisterMap"/>.</param>
    /// <param name="cancellation">Ends it, too.</param>
    /// <returns>The exit code of the program: 0, or 1 if the socket failed, with a line on standard error.</returns>
    /// <exception cref="InvalidOperationException">The device is served elsewhere.</exception>
    /// <remarks>While it runs, both signals no longer end the process.</remarks>
    public static async Task<int> RunConsoleAsync(
        string path, PciDevice device, VfioUserServerOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        try
        {
            using VfioUserServer server = Listen(path, options ?? new VfioUserServerOptions { RegisterMap = true });
            Console.WriteLine($"The device is on {path}. QEMU 10.1 or newer attaches it with");
            Console.WriteLine($"  {server.QemuArguments}");
            Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=512M,share=on -machine q35,memory-backend=ram");
            Console.WriteLine("Ctrl-C ends it.");
            await server.RunAsync(device, stop.Token);
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    /// <exception cref="IOException">Nobody can listen there, in words for the user of the program.</exception>
    internal static VfioUserServer Listen(string address, VfioUserServerOptions options)
    {
        try
        {
            return address is ['@', .. { Length: > 0 } name] ? BindAbstract(name, options) : Bind(address, options);
        }
        catch (ArgumentException e)
        {
            // what the user of the program gave is empty or too long, and a parameter of ours says nothing to him
            throw new IOException(e.Message.Replace($" (Parameter '{e.ParamName}')", "", StringComparison.Ordinal), e);
        }
    }

    private static string QemuArgumentsOf(SocketListener listener) => listener.IsAbstract
        ? QemuArgumentsFor(listener.Address[1..], isAbstract: true)
        : QemuArgumentsFor(listener.Address);

    private static string QemuArgumentsFor(string path, bool isAbstract)
    {
        string socket = JsonEncodedText.Encode(path, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
        string device = $"{{\"driver\":\"vfio-user-pci\",\"socket\":{{\"type\":\"unix\",\"path\":\"{socket}\"{(isAbstract ? ",\"abstract\":true" : "")}}}}}";
        return $"-device '{device.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }
}
