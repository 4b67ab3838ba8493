using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace VfioUser.Hosting.Tests;

/// <summary>A service of systemd: serves a card for each name that it is given, until standard input ends.</summary>
internal static class Program
{
    public static async Task Main(string[] names)
    {
        if (names is [ThermometerProgram.Word, .. string[] thermometers])
        {
            ThermometerProgram.Run(thermometers);
            return;
        }
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddSystemd();
        builder.Services.AddSingleton<Wiring>();
        foreach (string name in names)
            builder.Services.AddVfioUserDevice<Card>(name, _ => { });
        using IHost host = builder.Build();
        await host.StartAsync();
        Console.WriteLine("ready");
        // what a program that the service starts gets to see
        using (Process program = Process.Start(new ProcessStartInfo("bash") { ArgumentList = { "-c", "env; for fd in /proc/$$/fd/*; do readlink $fd; done; echo ." } })!)
            await program.WaitForExitAsync();
        await Console.In.ReadToEndAsync();
        await host.StopAsync();
    }
}
