namespace VfioUser.Migration.Tests;

/// <summary>Serves the device in a process of its own, until standard input ends.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        using VfioUserServer server = VfioUserServer.Bind(args[0]);
        Task serving = server.RunAsync(new BusyDevice());
        Console.Out.WriteLine("ready");
        Console.Out.Flush();
        Console.In.ReadToEnd();
        server.Dispose();
        serving.GetAwaiter().GetResult();
        return 0;
    }
}
