namespace Nvme.Controller;

/// <summary>How busy a queue pair is.</summary>
/// <param name="Id">Its number; 0 is the admin queue.</param>
/// <param name="Entries">That its submission queue has.</param>
/// <param name="Waiting">Commands that the driver has rung for and nobody has fetched.</param>
/// <param name="InFlight">Commands that were fetched and are not completed.</param>
/// <param name="Commands">Fetched since it was created.</param>
public readonly record struct QueueFigures(int Id, int Entries, int Waiting, int InFlight, long Commands);
