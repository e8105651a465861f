//! Models, recipes and targets, for whoever makes batches.

use super::super::core::Core;
use crate::face::{CatalogView, Named, RecipeView, Reply};

/// All of them, by name.
pub fn list(core: &Core) -> Reply {
    let catalog = &core.catalog;
    let named = |name: &str, label: &str| Named { name: name.to_owned(), label: label.to_owned() };
    Reply::Catalog(CatalogView {
        models: catalog.models().map(|model| named(&model.name, &model.label)).collect(),
        recipes: catalog
            .recipes()
            .map(|recipe| RecipeView {
                named: named(&recipe.name, &recipe.label),
                models: catalog
                    .models()
                    .filter(|model| recipe.serves(model))
                    .map(|model| model.name.clone())
                    .collect(),
                profiles: u32::try_from(recipe.profiles.len()).unwrap_or(u32::MAX),
                wants_file: recipe.needs_file_seed(),
            })
            .collect(),
        targets: catalog.targets().map(|target| named(&target.name, &target.label)).collect(),
    })
}
