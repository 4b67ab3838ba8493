using System.Globalization;
using Microsoft.Extensions.Configuration;
using VfioUser.Protocol;

namespace VfioUser.Hosting;

/// <summary>Reads the configuration section of a device.</summary>
internal static class DeviceSection
{
    private const string Server = "Server";

    private static readonly string[] ServerKeys =
    [
        nameof(VfioUserServerOptions.SocketMode), nameof(VfioUserServerOptions.TwinSocket),
        nameof(VfioUserServerOptions.TrustClientMemory), nameof(VfioUserServerOptions.MaxDmaMaps),
        nameof(VfioUserServerOptions.MaxDirtyBitmapMemory), nameof(VfioUserServerOptions.DmaTimeout),
        nameof(VfioUserServerOptions.NegotiationTimeout), nameof(VfioUserServerOptions.Spin), nameof(VfioUserServerOptions.IsSpinFixed),
        nameof(VfioUserServerOptions.Name), nameof(VfioUserServerOptions.RegisterMap), nameof(VfioUserServerOptions.InspectionPath),
    ];

    /// <summary>Sets the options that the section has, and leaves the others.</summary>
    /// <exception cref="InvalidOperationException">A value is invalid, or a key in <c>Server</c> unknown.</exception>
    public static void Apply(IConfiguration section, VfioUserDeviceOptions options)
    {
        options.SocketPath = section[nameof(options.SocketPath)] ?? options.SocketPath;
        options.WhenServingFails = section.Read(nameof(options.WhenServingFails), options.WhenServingFails);
        options.RestartDelay = section.Read(nameof(options.RestartDelay), options.RestartDelay);
        options.OwnThread = section.Read(nameof(options.OwnThread), options.OwnThread);
        options.Server = Apply(section.GetSection(Server), options.Server);
    }

    private static VfioUserServerOptions Apply(IConfigurationSection section, VfioUserServerOptions options)
    {
        // unknown keys are errors here: a misspelled limit would silently not apply
        if (section.GetChildren().FirstOrDefault(child => !ServerKeys.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw new InvalidOperationException($"{unknown.Path} is no setting of a server: there are {string.Join(", ", ServerKeys)}.");
        return options with
        {
            SocketMode = section.ReadMode(nameof(options.SocketMode), options.SocketMode),
            TwinSocket = section.Read(nameof(options.TwinSocket), options.TwinSocket),
            TrustClientMemory = section.Read(nameof(options.TrustClientMemory), options.TrustClientMemory),
            MaxDmaMaps = section.ReadNumber(nameof(options.MaxDmaMaps), options.MaxDmaMaps),
            MaxDirtyBitmapMemory = section.ReadNumber(nameof(options.MaxDirtyBitmapMemory), options.MaxDirtyBitmapMemory),
            DmaTimeout = section.Read(nameof(options.DmaTimeout), options.DmaTimeout),
            NegotiationTimeout = section.Read(nameof(options.NegotiationTimeout), options.NegotiationTimeout),
            Spin = section.Read(nameof(options.Spin), options.Spin),
            IsSpinFixed = section.Read(nameof(options.IsSpinFixed), options.IsSpinFixed),
            RegisterMap = section.Read(nameof(options.RegisterMap), options.RegisterMap),
            InspectionPath = section.ReadAddress(nameof(options.InspectionPath), options.InspectionPath),
            Name = section[nameof(options.Name)] ?? options.Name,
        };
    }
}
