using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using VfioUser.Hosting.Tests.Guide;

namespace VfioUser.Hosting.Tests;

/// <summary>A program as an author has one; <see cref="Program"/> runs it for a first argument.</summary>
internal sealed class ThermometerProgram
{
    /// <summary>The first argument.</summary>
    public const string Word = "thermometers";

    private ThermometerProgram()
    {
    }

    /// <param name="names">The devices'; none: the program ends at once.</param>
    public static void Run(string[] names)
    {
        if (names.Length == 0)
            return;
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Services.AddSystemd();
        builder.Services.AddSingleton<ISensor, RoomSensor>();
        foreach (string name in names)
            builder.Services.AddVfioUserDevice<Thermometer>(name, options => options.SocketPath = $"/run/thermometers/{name}.sock");
        using IHost host = builder.Build();
        host.Run();
    }
}
